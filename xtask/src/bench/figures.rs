//! Figures, and their file.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The name of a figure, and what is timed.
pub(crate) type Named = (&'static str, &'static str);

/// One figure: how the time of something compares with a peer's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) peer: String,
    /// The median of the ratios of all rounds.
    pub(crate) ratio: f64,
    /// The lower quartile of these ratios.
    pub(crate) low: f64,
    /// The upper quartile of these ratios.
    pub(crate) high: f64,
    /// The highest acceptable ratio.
    pub(crate) target: Option<f64>,
    pub(crate) rounds: u64,
}

impl Figure {
    fn from_json(value: &Value) -> Option<Self> {
        let text = |name| value.get(name)?.as_str().map(str::to_owned);
        let number = |name| value.get(name)?.as_f64();
        let target = value.get("target")?;
        Some(Self {
            name: text("name")?,
            peer: text("peer")?,
            ratio: number("ratio")?,
            low: number("low")?,
            high: number("high")?,
            target: if target.is_null() { None } else { Some(target.as_f64()?) },
            rounds: value.get("rounds")?.as_u64()?,
        })
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "peer": self.peer, "ratio": self.ratio, "low": self.low, "high": self.high,
            "target": self.target, "rounds": self.rounds,
        })
    }
}

/// Reads the figures of a file.
pub(super) fn read(file: &Path) -> Result<Vec<Figure>> {
    let named = || format!("{} has no figures", file.display());
    parse(&fs::read_to_string(file).with_context(named)?).with_context(named)
}

/// Writes a file of figures.
pub(super) fn write(file: &Path, figures: &[Figure]) -> Result<()> {
    let all: Value = figures.iter().map(Figure::to_json).collect();
    fs::write(file, format!("{all:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

fn parse(text: &str) -> Result<Vec<Figure>> {
    let all: Value = serde_json::from_str(text)?;
    let all = all.as_array().context("not an array")?;
    let figure = |value| Figure::from_json(value).with_context(|| format!("not a figure: {value}"));
    all.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(target: Option<f64>) -> Figure {
        Figure {
            name: "a/b".to_owned(),
            peer: "`x` | \"y\"".to_owned(),
            ratio: 0.25,
            low: 0.125,
            high: 1.5,
            target,
            rounds: 40,
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let folder = std::env::temp_dir().join(format!("xtask-figures-{}.json", std::process::id()));
        let figures = [figure(None), figure(Some(0.5))];
        write(&folder, &figures).unwrap();
        let read = read(&folder);
        fs::remove_file(&folder).unwrap();
        assert_eq!(read.unwrap(), figures);
    }

    #[test]
    fn rejects_a_ratio_that_is_not_a_number() {
        let text = r#"[{"name": "a", "peer": "b", "ratio": null, "low": 1, "high": 1, "target": null, "rounds": 1}]"#;
        assert!(parse(text).is_err());
        assert!(parse(&text.replace("null, \"low\"", "1.5, \"low\"")).is_ok());
    }
}
