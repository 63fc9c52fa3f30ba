"""The project in here is a stranger's: its tests run by themselves, not with ours."""

collect_ignore = ["project"]
