"""The channels to which changes of incidents are forwarded: what each takes, and the meaning of its answers. Pure."""
