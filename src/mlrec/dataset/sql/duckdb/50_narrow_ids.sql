-- Halves what the sort holds of ids and numbers of events: all are whole numbers that fit into 32 bits.
-- In: nothing.  Out: macros sorted_id and unsorted_id.
CREATE OR REPLACE MACRO sorted_id(id) AS CAST(id AS INTEGER);

CREATE OR REPLACE MACRO unsorted_id(id) AS CAST(id AS BIGINT);
