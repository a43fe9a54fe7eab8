"""All routes at one moment: written on a schedule, kept compressed by each instance."""
