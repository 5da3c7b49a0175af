use super::*;

/// 2026-01-05 00:00 UTC, a Monday.
const MONDAY: i64 = 1_767_571_200;
const DAY: i64 = 86_400;

fn bounds(days: i64) -> Bounds {
    let at = |second: i64| Timestamp(second * 1_000_000);
    Bounds::new(at(MONDAY), at(MONDAY + days * DAY))
}

fn calendar(events: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}\r\nEND:VCALENDAR\r\n")
}

fn event(lines: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:a@x\n{lines}\nEND:VEVENT"))
}

/// Beginnings within the bounds, in hours since Monday; wall clocks as if they were in UTC.
fn hours(text: &str, days: i64) -> Vec<i64> {
    let read = read(text, bounds(days));
    assert_eq!(read.flaws, [], "{text}");
    let hour = |when: &When| match *when {
        When::Instants { from, .. } => (from.0 / 1_000_000 - MONDAY) / 3600,
        When::Civil { from, .. } => (from - MONDAY) / 3600,
    };
    let mut hours: Vec<i64> = read.events.iter().map(hour).collect();
    hours.retain(|hour| (0..days * 24).contains(hour));
    hours
}

fn days(text: &str, within: i64) -> Vec<i64> {
    hours(text, within).iter().map(|hour| hour / 24).collect()
}

#[test]
fn a_day_is_a_day_on_the_wall_and_a_time_in_utc_an_instant() {
    let read = read(&event("DTSTART;VALUE=DATE:20260106"), bounds(30));
    assert_eq!(read.events, [When::Civil { from: MONDAY + DAY, to: MONDAY + 2 * DAY }]);
    let text = event("DTSTART:20260106T120000Z\nDTEND:20260106T150000Z");
    let noon = (MONDAY + DAY + 12 * 3600) * 1_000_000;
    let instants = When::Instants { from: Timestamp(noon), to: Timestamp(noon + 10_800_000_000) };
    assert_eq!(super::read(&text, bounds(30)).events, [instants]);
}

#[test]
fn a_time_in_a_zone_moves_with_its_clock() {
    // Nine in Berlin: eight in UTC until 2026-03-29, seven from then on.
    let text = event("DTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY");
    let found = hours(&text, 100);
    assert_eq!(found.len(), 100);
    assert_eq!([found[82] % 24, found[83] % 24], [8, 7], "the day before, and the day");
}

#[test]
fn rules_mean_what_the_standard_says() {
    let on = |rule: &str| event(&format!("DTSTART;VALUE=DATE:20260105\nRRULE:{rule}"));
    let cases: [(&str, &[i64]); 12] = [
        ("FREQ=DAILY;COUNT=3", &[0, 1, 2]),
        ("FREQ=DAILY;INTERVAL=10;UNTIL=20260125", &[0, 10, 20]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=5", &[0, 2, 7, 9, 14]),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260202T000000Z", &[0, 14, 28]),
        ("FREQ=MONTHLY;COUNT=2", &[0, 31]),
        ("FREQ=MONTHLY;BYDAY=2TU;COUNT=2", &[8, 36]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", &[25, 53]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", &[26, 54]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", &[25, 53]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=14", &[40]),
        ("FREQ=YEARLY;BYDAY=6MO", &[35]),
        // Without a day of the week, that of the first time.
        ("FREQ=YEARLY;BYWEEKNO=3,6", &[7, 28]),
    ];
    for (rule, expected) in cases {
        let mut found = days(&on(rule), 60);
        // The first time of the event belongs to it only where the rule has it, but for days.
        found.retain(|day| *day > 0 || expected.contains(&0));
        assert_eq!(found, expected, "{rule}");
    }
    let hourly =
        event("DTSTART:20260105T003000Z\nDURATION:PT5M\nRRULE:FREQ=HOURLY;INTERVAL=6;COUNT=4");
    assert_eq!(hours(&hourly, 9), [0, 6, 12, 18]);
    let twice =
        event("DTSTART:20260105T060000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYHOUR=6,18;COUNT=4");
    assert_eq!(hours(&twice, 9), [6, 18, 30, 42]);
}

/// Beginnings from 2026 to 2030, by the clock of the event, as the fixture writes them.
fn beginnings(rule: &str) -> Vec<String> {
    let text = event(&format!("DTSTART:20260101T093000Z\nDURATION:PT1M\nRRULE:{rule}"));
    let from = Timestamp((MONDAY - 30 * DAY) * 1_000_000);
    let read = read(&text, Bounds { from, ..bounds(5 * 365) });
    assert_eq!(read.flaws, [], "{rule}");
    let mut starts: Vec<i64> = read
        .events
        .iter()
        .map(|when| match when {
            When::Instants { from, .. } => from.0 / 1_000_000,
            When::Civil { .. } => panic!("it is in UTC"),
        })
        .collect();
    starts.sort_unstable();
    let text = |second: &i64| {
        let at = jiff::Timestamp::from_second(*second).unwrap();
        TimeZone::UTC.to_datetime(at).strftime("%Y%m%dT%H%M").to_string()
    };
    starts.iter().map(text).filter(|at| at.as_str() < "20310101").collect()
}

/// The fixture was made with python-dateutil 2.9: rules drawn at random, each with its first forty
/// occurrences before 2031.
#[test]
fn rules_mean_what_another_program_makes_of_them() {
    let all = include_str!("rules.txt");
    for line in all.lines() {
        let (rule, expected) = line.split_once(' ').unwrap();
        let expected: Vec<&str> = expected.split(',').filter(|at| !at.is_empty()).collect();
        let mut found = beginnings(rule);
        found.truncate(40);
        assert_eq!(found, expected, "{rule}");
    }
    assert!(all.lines().count() > 100);
}

#[test]
fn public_holidays_are_found_year_after_year() {
    let holidays = calendar(
        "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20151126\nDTEND;VALUE=DATE:20151127\n\
         RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH\nSUMMARY:Thanksgiving\nTRANSP:TRANSPARENT\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:2\nDTSTART;VALUE=DATE:20100525\nDURATION:P1D\n\
         RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;WKST=SU\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:3\nDTSTART;VALUE=DATE:19900103\nRRULE:FREQ=YEARLY\nEND:VEVENT",
    );
    // 2026-05-25 and 2026-11-26, then 2027-01-03, 2027-05-31 and 2027-11-25, then 2028-01-03.
    let mut found = days(&holidays, 2 * 365);
    found.sort_unstable();
    assert_eq!(found, [140, 325, 363, 511, 689, 728]);
}

#[test]
fn a_change_of_all_later_ones_moves_them_and_lasts_until_the_next() {
    let with = |others: &str| {
        let base = "BEGIN:VEVENT\nUID:a\nDTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=6\nEND:VEVENT\n";
        let mut found = hours(&calendar(&format!("{base}{others}")), 30);
        found.sort_unstable();
        found
    };
    let later = |id: &str, lines: &str| {
        format!(
            "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;RANGE=THISANDFUTURE:{id}T100000Z\n{lines}\nEND:VEVENT\n"
        )
    };
    let moved = later("20260107", "DTSTART:20260107T150000Z\nDURATION:PT2H");
    assert_eq!(with(&moved), [10, 34, 63, 87, 111, 135]);
    let again = later("20260109", "DTSTART:20260110T080000Z\nDURATION:PT1H");
    assert_eq!(with(&(moved.clone() + &again)), [10, 34, 63, 87, 128, 152]);
    let ended = later("20260108", "DTSTART:20260108T100000Z\nSTATUS:CANCELLED");
    assert_eq!(with(&(moved + &ended)), [10, 34, 63]);
    let other =
        later("20260108", "DTSTART:20260108T120000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=2");
    assert_eq!(with(&other), [10, 34, 58, 84, 84 + 168]);
}

#[test]
fn a_time_zone_that_the_file_defines_is_read_where_its_name_is_not_known() {
    let zone = |name: &str| {
        format!(
            "BEGIN:VTIMEZONE\nTZID:{name}\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\n\
             TZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
             DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
             RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
        )
    };
    let daily = |name: &str| {
        format!(
            "BEGIN:VEVENT\nDTSTART;TZID=\"{name}\":20260105T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEND:VEVENT\n"
        )
    };
    // Before and after the event, and under a name with a path: as in Berlin.
    let name = "W. Europe Standard Time";
    let berlin = hours(&calendar(&daily("Europe/Berlin")), 330);
    assert_eq!(hours(&calendar(&(zone(name) + &daily(name))), 330), berlin);
    assert_eq!(hours(&calendar(&(daily(name) + &zone(name))), 330), berlin);
    assert_eq!(hours(&calendar(&daily("/example.org/20260101_1/Europe/Berlin")), 330), berlin);
    // A definition that is none, and one without end.
    let read = read(&calendar(&daily(name)), bounds(30));
    assert_eq!(read.flaws, [Flaw::Zone(name.to_owned())]);
    let endless = zone(name).replace("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "FREQ=SECONDLY");
    let read = super::read(&calendar(&(endless + &daily(name))), bounds(30));
    assert!(read.flaws == [Flaw::TooLong] && read.events.len() >= 30);
}

#[test]
fn exceptions_and_additions_come_in_all_forms() {
    let of = |lines: &str| {
        hours(
            &event(&format!("DTSTART;TZID=Europe/Berlin:20260105T090000\nDURATION:PT1H\n{lines}")),
            30,
        )
    };
    let rule = "RRULE:FREQ=DAILY;COUNT=4\n";
    for without in [
        "EXDATE;TZID=Europe/Berlin:20260106T090000",
        "EXDATE:20260106T080000Z",
        "EXDATE:20260106T090000",
        "EXDATE;VALUE=DATE:20260106",
        "EXDATE;TZID=America/New_York:20260106T030000,20260120T030000",
    ] {
        assert_eq!(of(&format!("{rule}{without}")), [8, 56, 80], "{without}");
    }
    assert_eq!(of("RDATE:20260106T120000Z\nRDATE;TZID=Europe/Berlin:20260107T120000"), [8, 36, 59]);
    let text = event(
        "DTSTART:20260105T090000Z\nDURATION:PT1H\n\
         RDATE;VALUE=PERIOD:20260106T090000Z/PT3H,20260107T090000Z/20260107T140000Z",
    );
    let read = read(&text, bounds(30));
    let length = |when: &When| match when {
        When::Instants { from, to } => (to.0 - from.0) / 3_600_000_000,
        When::Civil { .. } => 0,
    };
    assert_eq!(read.events.iter().map(length).collect::<Vec<_>>(), [1, 3, 5]);
}

#[test]
fn what_is_not_read_is_named_and_there_are_rather_more_events() {
    let read = |lines: &str| {
        let read =
            read(&event(&format!("DTSTART:20260105T090000Z\nDURATION:PT1H\n{lines}")), bounds(30));
        let told: Vec<String> = read.flaws.iter().map(ToString::to_string).collect();
        (read.events.len(), told.join("; "))
    };
    let (n, told) = read("RRULE:FREQ=WEEKLY;RSCALE=HEBREW;SKIP=OMIT;COUNT=3");
    assert_eq!(n, 3);
    assert!(told.contains("of the event at line 3 `RSCALE=HEBREW` is not read"), "{told}");
    assert!(told.contains("`SKIP=OMIT` is not read"), "{told}");
    let (n, told) = read("RRULE:FREQ=DAILY;COUNT=5;BYDAY=XX");
    assert_eq!((n, told.contains("`BYDAY=XX` is not read")), (5, true), "{told}");
    let (n, told) = read("RRULE:FREQ=DAILY;COUNT=5\nEXRULE:FREQ=WEEKLY");
    assert_eq!((n, told.contains("`EXRULE:FREQ=WEEKLY` is not read")), (5, true), "{told}");
    let (n, told) = read("RECURRENCE-ID;RANGE=THISANDPRIOR:20260105T090000Z");
    assert_eq!((n, told.contains("`RANGE=THISANDPRIOR` is not read")), (1, true), "{told}");
}

#[test]
fn a_rule_that_began_long_ago_is_taken_up_where_it_matters() {
    let text = event("DTSTART;VALUE=DATE:19700101\nRRULE:FREQ=WEEKLY;BYDAY=TU");
    assert_eq!(days(&text, 21), [1, 8, 15]);
    let text = event("DTSTART:19000101T000000Z\nDURATION:PT1M\nRRULE:FREQ=MINUTELY;INTERVAL=60");
    assert_eq!(hours(&text, 2).len(), 48);
}

#[test]
fn exceptions_additions_and_changes_count() {
    let text = event(
        "DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20260106,20260107\n\
         RDATE;VALUE=DATE:20260120",
    );
    assert_eq!(days(&text, 30), [0, 3, 15]);
    let moved = calendar(
        "BEGIN:VEVENT\nUID:a\nDTSTART:20260105T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:a\nRECURRENCE-ID:20260106T100000Z\nDTSTART:20260106T150000Z\nDURATION:PT1H\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:a\nRECURRENCE-ID:20260107T100000Z\nDTSTART:20260107T100000Z\nDURATION:PT1H\nSTATUS:CANCELLED\nEND:VEVENT",
    );
    let mut found = hours(&moved, 30);
    found.sort_unstable();
    assert_eq!(found, [10, 39]);
}

#[test]
fn lines_are_unfolded_and_alarms_are_not_events() {
    let text = calendar(
        "BEGIN:VEVENT\nDTSTART;VALUE=DA\n TE:202601\n\t06\nSUMMARY;X=\"a:b;c\":day: off\n\
         BEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT5M\nDTSTART:20300101\nEND:VALARM\nEND:VEVENT",
    );
    assert_eq!(days(&text, 9), [1]);
}

#[test]
fn what_is_wrong_is_named_and_the_rest_counts() {
    let sound = "BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260106\nEND:VEVENT\n";
    let flaws = |bad: &str| {
        let read = read(&calendar(&format!("{sound}{bad}\n")), bounds(30));
        assert!(!read.events.is_empty(), "{bad}");
        read.flaws.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let event = |lines: &str| flaws(&format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT"));
    assert!(event("DTSTART:20261345").contains("`20261345` is no time"));
    assert!(event("SUMMARY:x").contains("line 6 is left out: it has no beginning"));
    assert!(event("DTSTART:20260105\nRRULE:FREQ=FORTNIGHTLY").contains("comes only once"));
    assert!(event("DTSTART:20260105\nRRULE:INTERVAL=2").contains("no FREQ"));
    assert!(event("DTSTART:20260105\nRRULE:FREQ=DAILY;INTERVAL=0").contains("INTERVAL=0"));
    assert!(event("DTSTART:20260105\nDTEND:20260101").contains("ends before it begins"));
    assert!(event("DTSTART;TZID=Mars/Base:20260105T000000\nDURATION:PT1H").contains("Mars/Base"));
    assert!(flaws("BEGIN:VEVENT\nDTSTART:20260107").contains("ends in the middle"));
    assert_eq!(read("<html>", bounds(9)).flaws, [Flaw::NotACalendar]);
    assert_eq!(read("", bounds(9)).flaws, [Flaw::NotACalendar]);
}

#[test]
fn what_never_ends_is_bounded() {
    let text = event("DTSTART:20200101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY");
    let read = read(&text, bounds(400));
    assert_eq!(read.events.len(), 20_000);
    assert!(!read.flaws.is_empty());
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;COUNT=999999999999;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;INTERVAL=100000;UNTIL=99991231",
        "FREQ=YEARLY;INTERVAL=100000",
        "FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23;COUNT=18446744073709551615",
    ] {
        let text = event(&format!("DTSTART:00010101T000000Z\nDURATION:PT1H\nRRULE:{rule}"));
        assert!(super::read(&text, bounds(400)).events.len() <= 20_000, "{rule}");
    }
    let many = "BEGIN:VEVENT\nDTSTART:20260106\nEND:VEVENT\n".repeat(30_000);
    let read = super::read(&calendar(&many), bounds(30));
    assert_eq!((read.events.len(), read.flaws.len()), (20_000, 1));
    let deep = "BEGIN:VEVENT\n".repeat(100_000);
    assert!(super::read(&calendar(&deep), bounds(30)).flaws.len() <= FLAWS);
    let folded = format!("DTSTART:2026\n{}", " 0\n".repeat(200_000));
    assert!(super::read(&event(&folded), bounds(30)).events.is_empty());
    let broken = "BEGIN:VEVENT\nDTSTART:x\nEND:VEVENT\n".repeat(1000);
    let read = super::read(&calendar(&broken), bounds(30));
    assert_eq!((read.flaws.len(), read.flaws.last()), (FLAWS, Some(&Flaw::More)));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn no_text_brings_it_down(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "BEGIN:VCALENDAR\n", "BEGIN:VEVENT\n", "END:VEVENT\n", "DTSTART:", "DTEND;TZID=Europe/Berlin:",
            "20260106", "99991231T235959Z", "00010101", "\n", " ", "RRULE:FREQ=", "YEARLY", "DAILY", ";BYDAY=-53SU",
            ";COUNT=9", ";INTERVAL=99999", ";BYSETPOS=-2147483648", ";BYMONTHDAY=-31", "DURATION:P", "9999999W", "-PT9H", "EXDATE:",
            "RDATE:", ",", "T", ";BYWEEKNO=", ";BYYEARDAY=-366", ";BYSECOND=60", "/", "BEGIN:VTIMEZONE\n", "TZID:X\n", "BEGIN:STANDARD\n", "TZOFFSETFROM:+0100\n",
            "TZOFFSETTO:-235959\n", "END:STANDARD\n", "END:VTIMEZONE\n", "DTSTART;TZID=X:", "RECURRENCE-ID;RANGE=THISANDFUTURE:", "é", "\u{0}", "\"", ":", ";", "UNTIL=", "2026032", "RECURRENCE-ID:", "END:VCALENDAR\n",
        ]), 0..40),
    ) {
        let _ = read(&parts.concat(), bounds(400));
    }
}
