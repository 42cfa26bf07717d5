"""The expected failures of managing workflow instances."""

from orderflow_workflow_runtime.instances import Instance


class UnknownInstance(Exception):
    """There is no instance with this id."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"there is no workflow instance {instance_id}")


class UnknownWorkflow(Exception):
    """There is no workflow with this name to start."""


class InstanceExists(Exception):
    """The id is taken."""


class NotRunning(Exception):
    """The instance has finished and can no longer be changed."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(f"{instance.instance_id} has finished: it is {instance.runtime_status}")


class StillRunning(Exception):
    """The instance has not finished, and the requested action requires that."""

    def __init__(self, instance: Instance) -> None:
        super().__init__(f"{instance.instance_id} is {instance.runtime_status}")


class UnknownPosition(Exception):
    """The position to continue a list from does not belong to this list."""


class InvalidInput(Exception):
    """A workflow cannot be started with this input."""


class Protected(Exception):
    """The requested action would break a guarantee about orders."""
