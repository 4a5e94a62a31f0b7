//! Maps of grids: a value in every cell, with a policy's arrows and the paths that agents took.

use assay_environments::{
    picture::{Anchor, Colour, Dash, Point},
    tabular::{Cell as Kind, Layout},
};
use plotters::{
    element::Rectangle,
    prelude::{ColorMap, ViridisRGB},
};

use crate::{
    Error,
    axis::{Axis, AxisLayout, decimal},
    canvas::{Letters, Sheet, Trace, area, disc, drawn, fill, line, place, write},
    frame::{Frame, Margins, label_beside, readable_on, write_fitted},
    style::{AXIS, AXIS_INK, CURVE, INK, LEADING, NEAR, Palette, SMALL, TEXT, TICK},
};

/// Width of the bar that explains the colours, in points, and its distance from the map.
const BAR: f64 = 7.0;
const BAR_GAP: f64 = 6.0;
/// Colours in that bar.
const BAR_STEPS: usize = 64;
/// Colour of walls.
const WALL: Colour = Colour::new(172, 172, 172);
/// Width of the lines between cells, in points.
const SEAM: f64 = 0.4;

/// The smallest share that an arrow is drawn for.
const LEAST_SHARE: f64 = 0.05;

/// A grid with a value in every cell that is not a wall.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GridMap {
    /// Number of columns.
    pub columns: usize,
    /// The values row by row, from the upper left cell; `None` where there is a wall.
    pub values: Vec<Option<f64>>,
    /// What the values are, with their unit.
    pub label: String,
    /// Whether the values are also written into the cells, as decimals.
    pub decimals: Option<usize>,
    /// Words in cells, such as `S` and `G`.
    pub notes: Vec<Note>,
    /// What a policy does in cells.
    pub arrows: Vec<Arrow>,
    /// Paths from cell to cell.
    pub paths: Vec<Path>,
    /// Values that the colours reach to, beside the map's own: maps with the same ones can be compared.
    pub reach: Option<[f64; 2]>,
    /// What changes from the left to the right, and from the bottom to the top; nothing where empty.
    pub sides: [String; 2],
}

/// A cell: its row from 0 at the top, its column from 0 at the left.
pub type Cell = (usize, usize);

/// A word in a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Where.
    pub cell: Cell,
    /// What it says.
    pub text: String,
}

/// An arrow in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrow {
    /// Where.
    pub cell: Cell,
    /// Where it points: x to the right, y upwards. Only the direction counts; nothing is drawn
    /// for the zero vector.
    pub direction: [f64; 2],
    /// From 0 to 1, for example the action's probability; the arrow's length is in proportion.
    pub share: f64,
}

/// A path from cell to cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Its name in the legend; none where it is empty.
    pub label: String,
    /// The cells in order.
    pub cells: Vec<Cell>,
}

impl GridMap {
    /// A map of `columns` columns of values, row by row from the upper left cell.
    pub fn new(label: impl Into<String>, columns: usize, values: Vec<Option<f64>>) -> Self {
        GridMap { columns, values, label: label.into(), ..GridMap::default() }
    }

    /// A map of the states of a tabular problem, with one value for each state: walls where no
    /// state lies, `S` where episodes start and `G` at goals. An error where the number of values
    /// is not that of the states.
    pub fn of_states(label: impl Into<String>, layout: &Layout, values: &[f64]) -> Result<Self, Error> {
        check_states(layout, "values", values.len(), layout.states())?;
        let (rows, columns) = (layout.rows(), layout.columns());
        let mut map = GridMap::new(label, columns, vec![None; rows * columns]);
        for (state, &value) in values.iter().enumerate() {
            if let Some((row, column)) = layout.place(state) {
                map.values[row * columns + column] = Some(value);
            }
        }
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            let text = match layout.cell(row, column) {
                Kind::Start => "S",
                Kind::Goal => "G",
                Kind::Floor | Kind::Wall | Kind::Hazard => continue,
            };
            map.notes.push(Note { cell: (row, column), text: text.to_owned() });
        }
        Ok(map)
    }

    /// The same with a policy's arrows on the floor and on starts, which lose their letter.
    /// `policy` holds the probability of every action in every state (state × action),
    /// `directions` where each action points to. An error where the number of probabilities is not
    /// that of the states times that of the actions.
    pub fn with_policy(
        mut self,
        layout: &Layout,
        policy: &[f64],
        directions: &[[f64; 2]],
    ) -> Result<Self, Error> {
        let actions = directions.len();
        check_states(layout, "action probabilities", policy.len(), layout.states() * actions)?;
        for (state, row) in policy.chunks_exact(actions.max(1)).enumerate() {
            let Some(cell) = layout.place(state) else { continue };
            if matches!(layout.cell(cell.0, cell.1), Kind::Goal | Kind::Hazard) {
                continue;
            }
            self.notes.retain(|note| note.cell != cell);
            let arrows = row.iter().zip(directions).filter(|(share, _)| **share >= LEAST_SHARE);
            self.arrows.extend(arrows.map(|(&share, &direction)| Arrow { cell, direction, share }));
        }
        Ok(self)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    pub(crate) fn check(&self, panel: &str) -> Result<(), Error> {
        if self.values.iter().all(Option::is_none) || self.columns == 0 {
            return Err(Error::Empty { part: panel.to_owned() });
        }
        let expected = self.values.len().next_multiple_of(self.columns);
        if self.values.len() != expected {
            let (part, given) = (panel.to_owned(), self.values.len());
            return Err(Error::Length { part, what: "values", given, expected });
        }
        let reach = self.reach.into_iter().flatten().map(Some);
        for (index, value) in self.values.iter().copied().chain(reach).enumerate() {
            if let Some(value) = value.filter(|value| Axis::default().check(&[*value], "", "").is_err()) {
                return Err(Error::NonFinite { part: panel.to_owned(), what: "value", index, value });
            }
        }
        for note in &self.notes {
            self.check_cell(note.cell, || format!("note `{}` of {panel}", note.text))?;
        }
        for (i, arrow) in self.arrows.iter().enumerate() {
            let part = || format!("arrow {i} of {panel}");
            self.check_cell(arrow.cell, part)?;
            let [x, y] = arrow.direction;
            Axis::default().check(&[x, y, arrow.share], "number", &part())?;
        }
        for path in &self.paths {
            let part = || format!("path `{}` of {panel}", path.label);
            if path.cells.is_empty() {
                return Err(Error::Empty { part: part() });
            }
            path.cells.iter().try_for_each(|&cell| self.check_cell(cell, part))?;
        }
        Ok(())
    }

    fn check_cell(&self, (row, column): Cell, part: impl Fn() -> String) -> Result<(), Error> {
        let (rows, columns) = (self.rows(), self.columns);
        if row < rows && column < columns {
            return Ok(());
        }
        Err(Error::OutsideGrid { part: part(), row, column, rows, columns })
    }

    fn scale(&self, height: f64) -> AxisLayout {
        let values = self.values.iter().copied().flatten().chain(self.reach.into_iter().flatten());
        Axis::default().laid_out(values, 0.0, (height / 16.0) as usize)
    }

    /// Height of a map this wide: cells are square, and no map is more than half again as high as
    /// it is wide.
    pub(crate) fn height(&self, width: f64) -> f64 {
        width * (self.rows() as f64 / self.columns as f64).min(1.5)
    }

    pub(crate) fn margins(&self, height: f64) -> Margins {
        let bar = BAR_GAP + BAR + TICK + NEAR + self.scale(height).widest(SMALL);
        let [bottom, left] = self.sides.each_ref().map(|side| match side.is_empty() {
            true => NEAR,
            false => 2.0 * NEAR + LEADING * SMALL,
        });
        Margins { left, right: bar + label_beside(&self.label), top: 0.0, bottom }
    }

    pub(crate) fn draw(&self, sheet: &Sheet<'_>, frame: Frame, palette: &Palette) -> Result<(), Error> {
        let (rows, columns) = (self.rows() as f64, self.columns as f64);
        // The largest rectangle of square cells in the frame, in its upper middle.
        let side = (frame.width / columns).min(frame.height / rows);
        let (width, height) = (side * columns, side * rows);
        let frame = Frame { left: frame.left + (frame.width - width) / 2.0, width, height, ..frame };
        let (x, y) = (AxisLayout::bare(0.0, columns), AxisLayout::bare(rows, 0.0));
        let plane = frame.plane(sheet, &x, &y);
        let scale = self.scale(height);
        for (i, value) in self.values.iter().enumerate() {
            let (column, row) = ((i % self.columns) as f64, (i / self.columns) as f64);
            let colour = value.map_or(WALL, |value| shade(value, &scale));
            let corners = [(column, row), (column + 1.0, row + 1.0)];
            drawn(plane.draw(&Rectangle::new(corners, fill(colour, 1.0))))?;
        }
        for i in 0..=self.columns {
            let x = frame.left + side * i as f64;
            line(sheet, &[[x, frame.top], [x, frame.bottom()]], Colour::WHITE, SEAM)?;
        }
        for i in 0..=self.rows() {
            let y = frame.top + side * i as f64;
            line(sheet, &[[frame.left, y], [frame.right(), y]], Colour::WHITE, SEAM)?;
        }
        let centre = |(row, column): Cell| {
            [frame.left + side * (column as f64 + 0.5), frame.top + side * (row as f64 + 0.5)]
        };
        self.draw_arrows(sheet, side, centre, &scale)?;
        self.draw_paths(sheet, side, centre, palette)?;
        self.write_in_cells(sheet, side, centre, &scale)?;
        let [across, up] = &self.sides;
        let middle = [frame.left + width / 2.0, frame.top + height / 2.0];
        let letters = Letters::new(SMALL, INK, Anchor::Middle);
        let aside = NEAR + LEADING * SMALL / 2.0;
        write_fitted(sheet, [middle[0], frame.bottom() + aside], across, width, letters)?;
        let letters = Letters { upwards: true, ..letters };
        write_fitted(sheet, [frame.left - aside, middle[1]], up, height, letters)?;
        self.draw_bar(sheet, frame, &scale)
    }

    /// The colour of what can be read or seen in a cell.
    fn ink(&self, (row, column): Cell, scale: &AxisLayout) -> Colour {
        let value = self.values[row * self.columns + column];
        readable_on(value.map_or(WALL, |value| shade(value, scale)))
    }

    fn draw_arrows(
        &self,
        sheet: &Sheet<'_>,
        side: f64,
        centre: impl Fn(Cell) -> Point,
        scale: &AxisLayout,
    ) -> Result<(), Error> {
        for arrow in &self.arrows {
            let [dx, dy] = arrow.direction;
            let (norm, share) = (dx.hypot(dy), arrow.share.clamp(0.0, 1.0));
            if norm == 0.0 || share < LEAST_SHARE {
                continue;
            }
            // An arrow alone in its cell lies across the middle; several begin there.
            let alone = self.arrows.iter().filter(|other| other.cell == arrow.cell).count() == 1;
            let length = if alone { 0.7 } else { 0.44 } * side * share;
            let [x, y] = centre(arrow.cell);
            let (ux, uy) = (dx / norm, -dy / norm);
            let start = if alone { -length / 2.0 } else { 0.04 * side };
            // A corner so far along the arrow and so far to its side.
            let corner = |along: f64, beside: f64| {
                let along = start + along;
                [x + along * ux - beside * uy, y + along * uy + beside * ux]
            };
            // Short arrows have small heads.
            let tip = (0.2 * side).min(0.45 * length);
            let (neck, head) = (length - tip, 0.55 * tip);
            let shaft = (0.03 * side).min(0.4 * head);
            let corners = [
                corner(0.0, shaft),
                corner(neck, shaft),
                corner(neck, head),
                corner(length, 0.0),
                corner(neck, -head),
                corner(neck, -shaft),
                corner(0.0, -shaft),
            ];
            area(sheet, &corners, self.ink(arrow.cell, scale))?;
        }
        Ok(())
    }

    fn draw_paths(
        &self,
        sheet: &Sheet<'_>,
        side: f64,
        centre: impl Fn(Cell) -> Point,
        palette: &Palette,
    ) -> Result<(), Error> {
        for (i, path) in self.paths.iter().enumerate() {
            let (colour, dash) = palette.look(&path.label);
            // Paths lie beside each other where they share cells.
            let aside = 0.14 * side * (i as f64 - (self.paths.len() - 1) as f64 / 2.0);
            let points: Vec<Point> = path.cells.iter().map(|&c| centre(c).map(|v| v + aside)).collect();
            let trace = |colour, width, dash| {
                let points = points.iter().copied().map(place).collect();
                drawn(sheet.draw(&Trace { points, colour, width, dash }))
            };
            trace(Colour::WHITE, 2.2 * CURVE, Dash::Solid)?;
            trace(colour, 1.2 * CURVE, dash)?;
            // A dot where the path begins, and an arrow's head where it ends.
            area(sheet, &disc(points[0], 3.0), Colour::WHITE)?;
            area(sheet, &disc(points[0], 2.2), colour)?;
            let moved = points.windows(2).rfind(|pair| pair[0] != pair[1]);
            if let (Some(pair), Some(&end)) = (moved, points.last()) {
                area(sheet, &head(pair[0], end, 5.2), Colour::WHITE)?;
                area(sheet, &head(pair[0], end, 4.0), colour)?;
            }
        }
        Ok(())
    }

    fn write_in_cells(
        &self,
        sheet: &Sheet<'_>,
        side: f64,
        centre: impl Fn(Cell) -> Point,
        scale: &AxisLayout,
    ) -> Result<(), Error> {
        let pointed = |cell: Cell| self.arrows.iter().any(|arrow| arrow.cell == cell);
        let noted = |cell: Cell| self.notes.iter().any(|note| note.cell == cell);
        if let Some(decimals) = self.decimals {
            for (i, value) in self.values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let cell = (i / self.columns, i % self.columns);
                let [x, y] = centre(cell);
                // Under an arrow or a word, in the middle otherwise.
                let (y, size) = if pointed(cell) || noted(cell) {
                    (y + 0.33 * side, 0.26 * side)
                } else {
                    (y, 0.32 * side)
                };
                let letters = Letters::new(SMALL.min(size), self.ink(cell, scale), Anchor::Middle);
                write(sheet, [x, y], &decimal(value, decimals), letters)?;
            }
        }
        for note in &self.notes {
            let [x, y] = centre(note.cell);
            let y = if self.decimals.is_some() { y - 0.1 * side } else { y };
            let letters = Letters::new(TEXT.min(0.6 * side), self.ink(note.cell, scale), Anchor::Middle);
            write_fitted(sheet, [x, y], &note.text, side, letters)?;
        }
        Ok(())
    }

    /// The bar that explains the colours.
    fn draw_bar(&self, sheet: &Sheet<'_>, map: Frame, scale: &AxisLayout) -> Result<(), Error> {
        let frame = Frame { left: map.right() + BAR_GAP, width: BAR, ..map };
        for i in 0..BAR_STEPS {
            // Each colour reaches up to the top and is covered by the next, so that no seams show.
            let share = |i: usize| scale.low + (scale.high - scale.low) * i as f64 / BAR_STEPS as f64;
            let (bottom, colour) = (frame.y(scale, share(i)), shade((share(i) + share(i + 1)) / 2.0, scale));
            let (left, right, top) = (frame.left, frame.right(), frame.top);
            area(sheet, &[[left, bottom], [right, bottom], [right, top], [left, top]], colour)?;
        }
        for tick in &scale.ticks {
            let y = frame.y(scale, tick.position);
            line(sheet, &[[frame.right(), y], [frame.right() + TICK, y]], AXIS_INK, AXIS)?;
            let at = [frame.right() + TICK + NEAR, y];
            tick.label.draw(sheet, at, Letters::new(SMALL, INK, Anchor::Start))?;
        }
        let right = frame.right() + TICK + NEAR + scale.widest(SMALL) + NEAR + LEADING * TEXT / 2.0;
        let letters = Letters { upwards: true, ..Letters::new(TEXT, INK, Anchor::Middle) };
        write_fitted(sheet, [right, frame.top + frame.height / 2.0], &self.label, frame.height, letters)
    }
}

fn check_states(layout: &Layout, what: &'static str, given: usize, expected: usize) -> Result<(), Error> {
    if given == expected {
        return Ok(());
    }
    let part = format!("a map of {} states", layout.states());
    Err(Error::Length { part, what, given, expected })
}

/// A triangle around `end` that points away from `before`.
fn head(before: Point, end: Point, size: f64) -> [Point; 3] {
    let (dx, dy) = (end[0] - before[0], end[1] - before[1]);
    let norm = dx.hypot(dy);
    let (ux, uy) = (size * dx / norm, size * dy / norm);
    let back = [end[0] - 0.6 * ux, end[1] - 0.6 * uy];
    [
        [end[0] + ux, end[1] + uy],
        [back[0] - 0.8 * uy, back[1] + 0.8 * ux],
        [back[0] + 0.8 * uy, back[1] - 0.8 * ux],
    ]
}

/// The colour of a value: viridis, which is even in lightness and safe for the colour-blind.
fn shade(value: f64, scale: &AxisLayout) -> Colour {
    let share = (value - scale.low) / (scale.high - scale.low);
    let colour = ViridisRGB.get_color(share as f32);
    Colour::new(colour.0, colour.1, colour.2)
}
