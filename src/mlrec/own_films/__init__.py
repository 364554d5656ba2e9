"""Films that a person has rated or watched elsewhere: reads the export, finds the films in the model, and learns them."""
