"""`spectral demo`."""

import click


@click.command()
def demo() -> None:
    """Do the whole job on synthetic data."""
