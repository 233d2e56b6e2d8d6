-- Which lake this database keeps: the same stands in the lake's manifest, so that no other database writes to it.
CREATE TABLE app.lake_identity (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  id  text NOT NULL
);
SELECT app.reference('app.lake_identity');
