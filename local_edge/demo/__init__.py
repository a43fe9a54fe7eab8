"""The example of the architecture page: two static sites and a containerised service."""
