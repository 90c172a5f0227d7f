"""The networks: one network, one file; torch only, knows no stage and no disk."""
