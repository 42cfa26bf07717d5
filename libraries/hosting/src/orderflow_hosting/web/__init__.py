"""What the sites of the services have in common: templates, static files, errors, headers."""

from orderflow_hosting.web.changes import Change, change_events
from orderflow_hosting.web.site import MenuItem, Site

__all__ = ["Change", "MenuItem", "Site", "change_events"]
