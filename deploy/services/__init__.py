"""The services of deploy/compose.yaml without docker, at the same ports and with the same variables."""
