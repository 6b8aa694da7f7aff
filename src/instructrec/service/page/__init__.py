"""The page of a service: written on the server, so that it works without scripts; one script makes it smooth."""
