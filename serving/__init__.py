"""Everything that answers predictions: model server, client, gateway. It imports none of the rest."""
