//! `foreshard history export`: series as text that can be taken in again.

use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::Path;

use forecast::recording::Measure;
use journal::history::History;
use journal::history::series::Summary;
use observe::{file, store};
use spec::Timestamp;

use super::{chosen, open, unusable};
use crate::args::{HistoryExport, HistoryFormat};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::Screen;

pub(super) fn export(args: &HistoryExport, screen: Screen) -> Result<Code, Failure> {
    let project = past_run::home(&args.project)?;
    let mut history = open(&project, screen)?;
    let series = chosen(&mut history, &args.series)?;
    let ever = store::EVER;
    let range = args.from.unwrap_or(ever.start)..args.to.unwrap_or(ever.end);
    match &args.output {
        None => write(&mut history, &series, range, args.format, |text| Ok(screen.print(text)?))?,
        Some(path) => {
            let failed = |error: &std::io::Error| Failure::io("write", path, error);
            let mut file = create(path)?;
            let put = |text: &str| file.write_all(text.as_bytes()).map_err(|error| failed(&error));
            write(&mut history, &series, range, args.format, put)?;
            file.flush().map_err(|error| failed(&error))?;
        }
    }
    Ok(Code::Succeeded)
}

fn create(path: &Path) -> Result<BufWriter<std::fs::File>, Failure> {
    let file = std::fs::File::create(path).map_err(|error| Failure::io("write", path, &error))?;
    Ok(BufWriter::new(file))
}

/// One series after the other: a history may be larger than the memory.
fn write(
    history: &mut History,
    series: &[Summary],
    range: Range<Timestamp>,
    format: HistoryFormat,
    mut put: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let is_asked = series.iter().any(|one| one.measure == Measure::Wait.name());
    if format == HistoryFormat::Csv {
        put(file::csv_heading(is_asked))?;
    }
    for one in series {
        let Ok(measure) = one.measure.parse::<Measure>() else { continue };
        let recordings = store::read_asked(history, &one.zone, &measure, range.clone())
            .map_err(|error| unusable(&error))?;
        for recording in recordings {
            let found = [file::Found { recording, unit: one.unit.clone() }];
            put(&match format {
                HistoryFormat::Csv => file::csv_rows(&found, is_asked),
                HistoryFormat::Jsonl => file::json_lines(&found),
            })?;
        }
    }
    Ok(())
}
