//! The type of a recorded task, cut out of its name.
//!
//! The format has no field for it, yet it is what history is kept by: Pegasus and Makeflow write
//! `mProject_ID0000001`, Nextflow `WORKFLOW.STEP.TYPE_4`, the generators `type_00000001`, and
//! Foreshard itself `type[value]`.

/// The longest type that is kept.
const MAX_LEN: usize = 100;

/// A name that a template can have.
pub(super) fn of(name: &str) -> String {
    let name = match name.split_once('[') {
        Some((before, rest)) if !before.is_empty() && rest.ends_with(']') => before,
        _ => name,
    };
    let base = match name.rfind("_ID") {
        Some(at) if is_number(&name[at + 3..]) => &name[..at],
        _ => match name.rfind(['_', '-']) {
            Some(at) if is_number(&name[at + 1..]) => &name[..at],
            _ => name,
        },
    };
    // Processes are written in capitals, so that a program such as `align.sh` stays whole.
    let is_process = base.bytes().all(|b| !b.is_ascii_lowercase());
    let base = match base.rfind(['.', ':']) {
        Some(at) if is_process && at + 1 < base.len() => &base[at + 1..],
        _ => base,
    };
    let safe = base.chars().map(|c| if super::document::is_plain(c) { c } else { '_' });
    let safe: String = safe.take(MAX_LEN).collect();
    let safe = safe.trim_start_matches(['_', '-', '.']);
    if safe.is_empty() { "task".to_owned() } else { safe.to_owned() }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_type_is_cut_out_of_the_names_that_recorders_give() {
        assert_eq!(of("mProject_ID0000001"), "mProject");
        assert_eq!(of("split_fasta_ID000001"), "split_fasta");
        assert_eq!(of("bowtie2-build_ID0000001"), "bowtie2-build");
        assert_eq!(of("cpuhog_chain_00000001"), "cpuhog_chain");
        assert_eq!(of("NFCORE_FETCHNGS.SRA.SRA_IDS_TO_RUNINFO_4"), "SRA_IDS_TO_RUNINFO");
        assert_eq!(of("NFCORE_FETCHNGS.SRA.SRA_IDS_TO_RUNINFO"), "SRA_IDS_TO_RUNINFO");
        assert_eq!(of("align.sh_ID000002"), "align.sh");
        assert_eq!(of("count_words[a,2]"), "count_words");
        assert_eq!(of("[3]"), "3_");
        assert_eq!(of("../x y"), "x_y");
        assert_eq!(of("_7"), "task");
    }
}
