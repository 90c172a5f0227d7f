"""The training loops that fit the networks in nets/; knows no stage."""
