"""A run's receipt: what each host said it has, signed so that nobody can change it afterwards unseen."""
