"""The stages: one file each, one `run(inputs, options, report, room)`."""
