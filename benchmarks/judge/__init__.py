"""How often the model gate is right where only noise, or a known regression, tells two models apart."""
