"""Plays the upstream system: lands real flights of 2013, day by day, as a source would."""
