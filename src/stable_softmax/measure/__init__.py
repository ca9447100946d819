"""How wrong is it: exact values, errors against them, conditioning, families of inputs."""
