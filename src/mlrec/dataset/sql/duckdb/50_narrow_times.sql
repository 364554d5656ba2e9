-- Halves what the sort holds of times: all fit into 32 bits.
-- In: nothing.  Out: macros sorted_time and unsorted_time.
CREATE OR REPLACE MACRO sorted_time(ticks) AS CAST(ticks AS UINTEGER);

CREATE OR REPLACE MACRO unsorted_time(ticks) AS CAST(ticks AS BIGINT);
