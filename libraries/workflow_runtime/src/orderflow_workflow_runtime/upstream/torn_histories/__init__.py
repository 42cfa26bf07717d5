"""Keeps workflow histories intact, although Dapr may apply an answer to the wrong turn.

Upstream: dapr/durabletask-go#129 and dapr/dapr#10379 replace the code that has the fault. No
released version is known to contain them as of 2026-11. dapr/dapr#10482 reports the same fault for
clustered deployments.

Versions: Dapr 1.18.1 (durabletask-go 0.12.1), with any SDK.

Above: off. The tokens that it gives to work items, and the answers that make 1.18 restart a turn,
would stop all workflows of a Dapr that matches answers by their tokens.

How it shows: after the worker has reconnected, or the application's health has changed, a history
has the actions of one turn twice (`taskScheduled 0` a second time). The workflow then hangs for
ever, or fails with a non-determinism error.

Delete when: Dapr matches an answer to the attempt that it belongs to, by its completion token.
`tests/system/upstream/test_torn_histories.py` fails then.

`turns` has the rule and the reasons for it. `attempts` reads work items, `work_items` applies the
rule to the worker's connection, `restarts` asks the engine to repeat a turn, and `guard` installs
all of it in the SDK's worker.
"""

from typing import Final

from orderflow_workflow_runtime.upstream.versions import Fault

FAULT: Final = Fault("1.18")
"""A fault of Dapr."""
