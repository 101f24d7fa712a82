import sys

from agarnet_jax.cli.main import main

sys.exit(main())
