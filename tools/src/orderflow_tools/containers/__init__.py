"""Container engines, and the images of the services."""
