//! The tables of a document, each between the lines `<!-- figures: AREA -->` and `<!-- /figures -->`.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use super::figures::{Figure, Named};

const END: &str = "<!-- /figures -->";

/// Replaces the table of each area that has figures. An area is the first part of a name.
///
/// # Errors
///
/// If a table's marker is missing, or if an area has some of its figures only: the others' rows would disappear.
pub(super) fn replace_all(document: &str, figures: &[Figure], all: &[Named]) -> Result<String> {
    let mut document = document.to_owned();
    let mut areas: Vec<&str> = all.iter().map(|(name, _)| area(name)).collect();
    areas.dedup();
    for of in areas {
        let own: Vec<_> = figures.iter().filter(|figure| area(&figure.name) == of).collect();
        if own.is_empty() {
            continue;
        }
        let named: Vec<_> = all.iter().filter(|(name, _)| area(name) == of).collect();
        for (name, _) in &named {
            let is_there = own.iter().any(|figure| figure.name == *name);
            ensure!(is_there, "the table of `{of}` needs all of its figures; {name} is missing");
        }
        document = replace(&document, of, &table(&own, &named))?;
    }
    Ok(document)
}

fn area(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// Replaces the text between an area's marker and the next end marker.
fn replace(document: &str, area: &str, table: &str) -> Result<String> {
    let marker = format!("<!-- figures: {area} -->");
    let (before, rest) =
        document.split_once(&marker).with_context(|| format!("the document has no `{marker}`"))?;
    ensure!(!rest.contains(&marker), "the document has `{marker}` twice");
    let (old, after) = rest.split_once(END).with_context(|| format!("`{marker}` has no `{END}`"))?;
    ensure!(!old.contains("<!--"), "`{marker}` has another marker before its `{END}`");
    Ok(format!("{before}{marker}\n\n{table}\n{END}{after}"))
}

fn table(figures: &[&Figure], named: &[&Named]) -> String {
    let mut table = String::from(
        "| figure | what is timed | compared with | ratio (quartiles) | target | rounds |\n\
         | --- | --- | --- | --- | --- | --- |\n",
    );
    for (name, what) in named {
        // A figure with several peers names itself once.
        let mut first = (format!("`{name}`"), (*what).to_owned());
        for figure in figures.iter().filter(|figure| figure.name == *name) {
            let (name, what) = std::mem::take(&mut first);
            let (low, high) = (shown(figure.low), shown(figure.high));
            let (peer, ratio, rounds) = (&figure.peer, shown(figure.ratio), figure.rounds);
            let target = verdict(figure);
            let row = format!("| {name} | {what} | {peer} | {ratio} ({low}–{high}) | {target} | {rounds} |");
            // An empty cell has one space.
            writeln!(table, "{}", row.replace("|  |", "| |").replace("|  |", "| |")).expect("a String");
        }
    }
    table
}

fn verdict(Figure { ratio, target, .. }: &Figure) -> String {
    match target {
        Some(target) if ratio <= target => format!("{target:.2}: met"),
        Some(target) => format!("{target:.2}: not met ({})", shown(*ratio)),
        None => String::new(),
    }
}

/// Two decimals, or three for small numbers.
fn shown(number: f64) -> String {
    if number.abs() < 0.1 { format!("{number:.3}") } else { format!("{number:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Named] = &[("a/x", "the x"), ("a/y", "the y"), ("b/x", "another x")];

    const DOCUMENT: &str = "# Title\n\ntext\t \n<!-- figures: a -->\nold\n<!-- /figures -->\n\
         between\r\n<!-- figures: b -->\n\nold b\n<!-- /figures -->\nno newline at the end";

    fn figure(name: &str, peer: &str, ratio: f64, target: Option<f64>) -> Figure {
        let (low, high) = (ratio / 2.0, ratio * 2.0);
        Figure { name: name.to_owned(), peer: peer.to_owned(), ratio, low, high, target, rounds: 20 }
    }

    #[test]
    fn replaces_the_marked_table_and_nothing_else() {
        let figures = [
            figure("a/x", "p", 0.5, Some(0.4)),
            figure("a/x", "q", 0.06, None),
            figure("a/y", "p", 2.0, Some(2.0)),
        ];
        let expected = "# Title\n\ntext\t \n<!-- figures: a -->\n\n\
             | figure | what is timed | compared with | ratio (quartiles) | target | rounds |\n\
             | --- | --- | --- | --- | --- | --- |\n\
             | `a/x` | the x | p | 0.50 (0.25–1.00) | 0.40: not met (0.50) | 20 |\n\
             | | | q | 0.060 (0.030–0.12) | | 20 |\n\
             | `a/y` | the y | p | 2.00 (1.00–4.00) | 2.00: met | 20 |\n\
             \n<!-- /figures -->\n\
             between\r\n<!-- figures: b -->\n\nold b\n<!-- /figures -->\nno newline at the end";
        let replaced = replace_all(DOCUMENT, &figures, ALL).unwrap();
        assert_eq!(replaced, expected);
        assert_eq!(replace_all(&replaced, &figures, ALL).unwrap(), expected, "a second time changes nothing");
    }

    #[test]
    fn replaces_the_tables_of_all_areas_with_figures() {
        let figures = ["a/x", "a/y", "b/x"].map(|name| figure(name, "p", 1.0, None));
        let replaced = replace_all(DOCUMENT, &figures, ALL).unwrap();
        assert!(!replaced.contains("old"), "{replaced}");
        assert!(
            replaced.contains("between\r\n") && replaced.ends_with("no newline at the end"),
            "{replaced}"
        );
    }

    fn error(document: &str, figures: &[Figure]) -> String {
        replace_all(document, figures, ALL).unwrap_err().to_string()
    }

    #[test]
    fn rejects_a_document_without_the_markers() {
        let figures = [figure("b/x", "p", 1.0, None)];
        assert_eq!(error("text", &figures), "the document has no `<!-- figures: b -->`");
        assert_eq!(
            error("<!-- figures: b -->\n", &figures),
            "`<!-- figures: b -->` has no `<!-- /figures -->`"
        );
        let open = "<!-- figures: b -->\n<!-- figures: a -->\n<!-- /figures -->";
        assert!(error(open, &figures).contains("another marker"));
        assert!(error(&DOCUMENT.repeat(2), &figures).contains("twice"));
    }

    #[test]
    fn rejects_an_area_with_some_of_its_figures() {
        let message = error(DOCUMENT, &[figure("a/x", "p", 1.0, None)]);
        assert_eq!(message, "the table of `a` needs all of its figures; a/y is missing");
    }
}
