"""Films that a person rated or watched elsewhere: reading exports, finding the films in the model, learning them."""
