//! The watermark and the schedule as bytes.

use std::collections::BTreeSet;

use super::{get_byte, get_flag, get_optional, get_place, get_size, put_optional};
use crate::windows::schedule::Schedule;
use crate::windows::varint::{get_text, put_signed, put_text, put_varint};
use crate::windows::watermark::{Member, Source, Watermark};

const LIVE: u8 = 1;
const ENDED: u8 = 2;
const SHARED: u8 = 4;

/// What a member is.
const FREE: u8 = 0;
const OWN: u8 = 1;
const NAMED: u8 = 2;
const OTHERS: u8 = 3;

const HOLDS: u8 = 1;
const RECEIVED: u8 = 2;

pub(super) fn put_watermark(out: &mut Vec<u8>, watermark: &Watermark) {
    let Watermark { sources, members, free, moved, ahead, time, .. } = watermark;
    for time in [moved, ahead, time] {
        put_optional(out, *time);
    }
    put_varint(out, sources.len() as u64);
    for source in sources {
        let flags = [(source.is_live, LIVE), (source.ended, ENDED), (source.is_shared, SHARED)];
        out.push(flags.iter().filter(|flag| flag.0).map(|flag| flag.1).sum());
    }
    let unused: BTreeSet<usize> = free.iter().copied().collect();
    put_varint(out, members.len() as u64);
    for (number, member) in members.iter().enumerate() {
        if unused.contains(&number) {
            out.push(FREE);
            continue;
        }
        let is_own = sources.get(member.source).is_some_and(|source| source.own == number);
        match &member.name {
            _ if is_own => out.push(OWN),
            Some(name) => {
                out.push(NAMED);
                put_text(out, name);
            }
            None => out.push(OTHERS),
        }
        put_varint(out, member.source as u64);
        put_member(out, member);
    }
    for &number in free {
        put_varint(out, number as u64);
    }
}

fn put_member(out: &mut Vec<u8>, member: &Member) {
    let Member { newest, moves, received, holds, listened, queued, .. } = member;
    let has_received = *received < i64::MAX;
    out.push(u8::from(*holds) * HOLDS + u8::from(has_received) * RECEIVED);
    for time in [newest, moves, queued] {
        put_optional(out, *time);
    }
    if has_received {
        put_signed(out, *received);
    }
    put_signed(out, *listened);
}

/// Reads the sources and members of an empty watermark.
pub(super) fn get_watermark(bytes: &mut &[u8], watermark: &mut Watermark) -> Option<()> {
    let Watermark { sources, members, free, holding, heard, moved, ahead, time, .. } = watermark;
    for time in [moved, ahead, time] {
        *time = get_optional(bytes)?;
    }
    sources.clear();
    for _ in 0..get_size(bytes)? {
        let flags = get_byte(bytes).filter(|&flags| flags < 2 * SHARED)?;
        sources.push(Source {
            // It has no member yet.
            own: usize::MAX,
            is_live: flags & LIVE != 0,
            ended: flags & ENDED != 0,
            is_shared: flags & SHARED != 0,
            ..Source::default()
        });
    }
    (*holding, *heard) = (BTreeSet::new(), BTreeSet::new());
    members.clear();
    let mut unused = BTreeSet::new();
    for number in 0..get_size(bytes)? {
        let what = get_byte(bytes)?;
        if what == FREE {
            unused.insert(number);
            members.push(Member::default());
            continue;
        }
        let name = if what == NAMED { Some(get_text(bytes)?) } else { None };
        let place = get_size(bytes)?;
        let source = sources.get_mut(place)?;
        let is_new = match (what, name) {
            (OWN, _) => std::mem::replace(&mut source.own, number) == usize::MAX,
            (NAMED, Some(name)) => source.senders.insert(name.into(), number).is_none(),
            (OTHERS, _) => source.others.replace(number).is_none(),
            _ => false,
        };
        let member = Member { source: place, name: name.map(Into::into), ..get_member(bytes)? };
        if !is_new {
            return None;
        }
        if member.holds {
            holding.insert((member.newest, number));
        }
        if let Some(queued) = member.queued {
            heard.insert((queued, number));
        }
        members.push(member);
    }
    free.clear();
    for _ in 0..unused.len() {
        let number = get_size(bytes).filter(|number| unused.remove(number))?;
        free.push(number);
    }
    sources.iter().all(|source| source.own < members.len()).then_some(())
}

fn get_member(bytes: &mut &[u8]) -> Option<Member> {
    let flags = get_byte(bytes).filter(|&flags| flags < 2 * RECEIVED)?;
    let (newest, moves, queued) =
        (get_optional(bytes)?, get_optional(bytes)?, get_optional(bytes)?);
    let received = if flags & RECEIVED == 0 { i64::MAX } else { get_place(bytes)? };
    let listened = get_place(bytes)?;
    let holds = flags & HOLDS != 0;
    Some(Member { newest, moves, received, holds, listened, queued, ..Member::default() })
}

pub(super) fn put_schedule(out: &mut Vec<u8>, schedule: &Schedule) {
    for pane in [schedule.answered, schedule.earliest, schedule.line] {
        put_optional(out, pane);
    }
    out.push(schedule.idle.into());
}

pub(super) fn get_schedule(bytes: &mut &[u8], schedule: &mut Schedule) -> Option<()> {
    for pane in [&mut schedule.answered, &mut schedule.earliest, &mut schedule.line] {
        *pane = get_optional(bytes)?;
    }
    schedule.idle = get_flag(bytes)?;
    Some(())
}
