"""The browser application: a folder that is built into the package, served beside the API."""
