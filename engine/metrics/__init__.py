"""The metrics room: how good a result is, by the measures of the field; numpy only, knows no stage."""
