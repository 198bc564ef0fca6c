-- What became of each box of a suggestion; where on the image a box lies that was offered through SCANEO.
ALTER TABLE assists ADD COLUMN boxes_kept INTEGER;     -- NULL: the task has no boxes
ALTER TABLE assists ADD COLUMN boxes_moved INTEGER;
ALTER TABLE assists ADD COLUMN boxes_removed INTEGER;
ALTER TABLE assists ADD COLUMN boxes_added INTEGER;    -- drawn by the person beside those of the suggestion
ALTER TABLE scaneo_boxes ADD COLUMN box DOUBLE[];      -- left, top, right, bottom in pixels; NULL: of an older version
