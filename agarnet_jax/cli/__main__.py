from agarnet_jax.cli.main import program

program()
