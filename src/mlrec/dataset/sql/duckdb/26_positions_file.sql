-- The position in the file orders events, alone or within a day: it fills the lower bits of the time.
-- In: table ratings, in the order of the file.  Out: the same table.
UPDATE ratings SET timestamp = timestamp | rowid;
