"""Workarounds for faults of Dapr 1.18 and its Python SDK 1.19, a module or package each.

Each docstring names the upstream issue, the versions that have the fault, whether the workaround is
off or harmless above them (see `versions`), its symptoms, and when the module can be deleted. For
each, `tests/system/upstream` reproduces the fault on the real Dapr, with and without the
workaround; such a test fails once Dapr or the SDK has fixed the fault.
"""
