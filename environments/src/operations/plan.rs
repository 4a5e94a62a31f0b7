//! What a plant did in the past periods, and how that looks.

use serde::{Deserialize, Serialize};

use crate::picture::{Anchor, Colour, Lettering, Picture, Style};

/// Items that a picture has room for.
const MOST_DRAWN: usize = 8;

/// Production, demand and inventory of the last periods of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    items: usize,
    machines: usize,
    /// How many periods are kept.
    kept: usize,
    /// Periods of the episode so far.
    elapsed: usize,
    /// What is known of the running period; then it moves to `past`.
    setups: Vec<usize>,
    flows: Vec<Flow>,
    /// Period t is row t mod `kept`.
    past_setups: Vec<usize>,
    past_flows: Vec<Flow>,
}

/// What happened to one item in one period, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// Made, less what a change of setup lost.
    pub produced: i32,
    /// Asked for.
    pub demand: u32,
    /// Asked for and not delivered.
    pub lost: i32,
    /// Left at the end of the period.
    pub inventory: i32,
}

impl Plan {
    /// An empty plan that keeps so many periods.
    pub(super) fn new(items: usize, machines: usize, kept: usize) -> Self {
        Plan {
            items,
            machines,
            kept,
            elapsed: 0,
            setups: vec![0; machines],
            flows: vec![Flow::default(); items],
            past_setups: vec![0; kept * machines],
            past_flows: vec![Flow::default(); kept * items],
        }
    }

    /// Starts a new episode.
    pub(super) fn clear(&mut self) {
        self.elapsed = 0;
    }

    /// Starts a period in which the machines do this.
    pub(super) fn begin(&mut self, action: &[usize]) {
        self.setups.copy_from_slice(action);
        self.flows.fill(Flow::default());
    }

    pub(super) fn produced(&mut self, item: usize, units: i32) {
        self.flows[item].produced += units;
    }

    /// Takes in that of `available` units, after a demand, `left` remain.
    pub(super) fn served(&mut self, item: usize, demand: u32, left: i32, available: i32) {
        let flow = &mut self.flows[item];
        flow.demand = demand;
        flow.lost = (demand as i32 - available).max(0);
        flow.inventory = left;
    }

    /// Ends the period.
    pub(super) fn end(&mut self) {
        if self.kept > 0 {
            let row = self.elapsed % self.kept;
            self.past_setups[row * self.machines..][..self.machines].copy_from_slice(&self.setups);
            self.past_flows[row * self.items..][..self.items].copy_from_slice(&self.flows);
        }
        self.elapsed += 1;
    }

    /// The periods that are kept, the oldest first, counted from the start of the episode: what every
    /// machine made (0 for nothing, else the item's number from 1 on), and what happened to every item.
    pub fn periods(&self) -> impl Iterator<Item = (usize, &[usize], &[Flow])> {
        (self.elapsed.saturating_sub(self.kept)..self.elapsed).map(|period| {
            let row = period % self.kept;
            let setups = &self.past_setups[row * self.machines..][..self.machines];
            (period, setups, &self.past_flows[row * self.items..][..self.items])
        })
    }

    /// The plan as the field draws it: what each machine makes over time, and under it for every item
    /// (up to eight) bars of production, a line of inventory, steps of demand, and what was lost.
    /// `inventory` is what there is now.
    pub fn draw(&self, inventory: &[i32]) -> Picture {
        let columns = self.kept.max(1) as f64;
        let shown = self.items.min(MOST_DRAWN);
        let (row, panel, gap) = (0.9, 3.6, 0.8);
        let machines = self.machines as f64 * row;
        let height = machines + gap + shown as f64 * (panel + gap) + 1.6;
        let mut picture = Picture::new([-5.5, -1.2], [columns + 0.7, height]);
        let small = Lettering::new(0.75);
        let label = |picture: &mut Picture, y: f64, text: String| {
            picture.lettering([-0.4, y], text, small.anchored(Anchor::End));
        };
        let first = self.elapsed.saturating_sub(self.kept);

        let top = height - 1.4;
        for machine in 0..self.machines {
            let y = top - (machine as f64 + 1.0) * row;
            label(&mut picture, y + row / 2.0, format!("machine {}", machine + 1));
            picture.rectangle([0.0, y], [columns, y + row], Style::line(Colour::LIGHT_GREY, 0.03));
        }
        for (period, setups, _) in self.periods() {
            let x = (period - first) as f64;
            for (machine, &setup) in setups.iter().enumerate().filter(|(_, setup)| **setup > 0) {
                let y = top - (machine as f64 + 1.0) * row;
                let style = Style::fill(colour(setup - 1)).outlined(Colour::WHITE, 0.06);
                picture.rectangle([x, y], [x + 1.0, y + row], style);
                picture.text([x + 0.5, y + row / 2.0], 0.55, setup.to_string());
            }
        }
        self.legend(&mut picture, [0.0, height - 0.7]);

        for item in 0..shown {
            let base = top - machines - gap - (item as f64 + 1.0) * (panel + gap) + gap;
            let flows = || self.periods().map(|(period, _, flows)| ((period - first) as f64, flows[item]));
            let most = flows()
                .map(|(_, f)| f.produced.max(f.inventory).max(f.demand as i32))
                .fold(inventory[item].max(1), i32::max);
            let y = |units: i32| base + panel * f64::from(units.max(0)) / f64::from(most);
            label(&mut picture, base + 0.62 * panel, format!("item {}", item + 1));
            label(&mut picture, base + panel, most.to_string());
            label(&mut picture, base, "0".into());
            for (x, flow) in flows() {
                picture.rectangle([x + 0.15, base], [x + 0.85, y(flow.produced)], Style::fill(colour(item)));
            }
            for (x, flow) in flows().filter(|(_, flow)| flow.lost > 0) {
                let (low, high) = (y(flow.demand as i32 - flow.lost), y(flow.demand as i32));
                let style = Style::fill(Colour::VERMILION).with_opacity(0.45);
                picture.rectangle([x, low], [x + 1.0, high], style);
            }
            let mut demand = Vec::new();
            let mut held = Vec::new();
            for (x, flow) in flows() {
                demand.extend([[x, y(flow.demand as i32)], [x + 1.0, y(flow.demand as i32)]]);
                held.push([x + 1.0, y(flow.inventory)]);
            }
            if held.len() > 1 {
                picture.line(demand, Style::line(Colour::VERMILION, 0.1));
                picture.line(held, Style::line(Colour::BLACK, 0.14));
            }
            picture.line([[0.0, base], [columns, base]], Style::line(Colour::GREY, 0.05));
        }
        let tick = (self.kept / 6).max(1);
        for column in (0..=self.kept).step_by(tick) {
            picture.text([column as f64, -0.6], 0.7, (first + column).to_string());
        }
        picture
    }

    fn legend(&self, picture: &mut Picture, at: [f64; 2]) {
        let entries = [
            ("production", Style::fill(Colour::GREY)),
            ("demand", Style::fill(Colour::VERMILION)),
            ("lost", Style::fill(Colour::VERMILION).with_opacity(0.45)),
            ("inventory", Style::fill(Colour::BLACK)),
        ];
        for (i, (text, style)) in entries.into_iter().enumerate() {
            let x = at[0] + 6.5 * i as f64;
            picture.rectangle([x, at[1] - 0.25], [x + 0.9, at[1] + 0.25], style);
            picture.lettering([x + 1.2, at[1]], text, Lettering::new(0.75).anchored(Anchor::Start));
        }
    }
}

/// The colour of an item.
fn colour(item: usize) -> Colour {
    const COLOURS: [Colour; 6] =
        [Colour::SKY, Colour::ORANGE, Colour::GREEN, Colour::PURPLE, Colour::YELLOW, Colour::BLUE];
    COLOURS[item % COLOURS.len()]
        .towards(Colour::WHITE, if item / COLOURS.len() % 2 == 1 { 0.5 } else { 0.0 })
}
