"""What the services' sites share: templates, static files, error pages and headers."""

from orderflow_hosting.web.changes import Change, change_events
from orderflow_hosting.web.site import MenuItem, Site

__all__ = ["Change", "MenuItem", "Site", "change_events"]
