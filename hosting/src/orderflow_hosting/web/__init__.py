"""What the sites of the services have in common: templates, static files, errors, headers."""

from orderflow_hosting.web.changes import change_events
from orderflow_hosting.web.site import MenuItem, Site

__all__ = ["MenuItem", "Site", "change_events"]
