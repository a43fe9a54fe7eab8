"""A gradual cut-over: which side a viewer is on, and the page where a tester chooses one."""
