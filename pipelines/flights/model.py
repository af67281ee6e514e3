"""The net that says whether a flight will be late: embeddings for categories, one dense layer."""

import keras
from keras import layers


def model(inputs: dict, vocabulary_sizes: dict) -> keras.Model:
    """Return a compiled net from standardised numbers and category indexes to a probability."""
    numbers = [inputs[name] for name in inputs if name not in vocabulary_sizes]
    categories = [
        layers.Flatten()(layers.Embedding(size, 4, name=f"embed_{name}")(inputs[name]))
        for name, size in vocabulary_sizes.items()
    ]
    x = layers.Concatenate()([*numbers, *categories])
    x = layers.Dropout(0.3)(x)
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dropout(0.3)(x)
    late = layers.Dense(1, activation="sigmoid", dtype="float32")(x)

    net = keras.Model(inputs, late)
    net.compile(optimizer=keras.optimizers.Adam(2e-3), loss="binary_crossentropy")
    return net
