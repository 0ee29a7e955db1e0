//! A decoder for the part of Thumb machine code that is needed to count the instructions that run with interrupts off
//! (Armv7-M Architecture Reference Manual, A5 and A7).

use anyhow::{Result, bail};

const DISABLE: u16 = 0xb672; // cpsid i
const ENABLE: u16 = 0xb662; // cpsie i

/// Much longer than any critical section may be.
const LIMIT: usize = 200;

/// An instruction: its first half, and its second half if it has 32 bits.
#[derive(Clone, Copy)]
struct Instruction(u16, Option<u16>);

impl Instruction {
    fn at(code: &[u8], offset: usize) -> Option<Self> {
        let half = |at: usize| Some(u16::from_le_bytes(*code.get(at..)?.first_chunk()?));
        let first = half(offset)?;
        // The top five bits tell whether the instruction has 32 bits.
        Some(Self(first, if first >> 11 >= 0b11101 { Some(half(offset + 2)?) } else { None }))
    }

    fn size(self) -> usize {
        if self.1.is_some() { 4 } else { 2 }
    }

    /// Returns whether the instruction is `cpsie i` or `msr primask, rN`.
    fn enables(self) -> bool {
        self.0 == ENABLE || (self.0 & 0xfff0 == 0xf380 && self.1 == Some(0x8810))
    }

    /// Returns the target of a branch, and whether execution can continue at the next instruction.
    fn branch(self, offset: usize) -> Result<(Option<usize>, bool)> {
        let from = i64::try_from(offset)? + 4;
        let to = |distance: i64| usize::try_from(from + distance).map(Some);
        let (first, bits) = (self.0, i64::from(self.0));
        Ok(match self.1 {
            None if first >> 12 == 0b1101 && first >> 8 & 15 < 14 => {
                (to(i64::from((first & 0xff) as i8) * 2)?, true)
            }
            None if first >> 11 == 0b11100 => (to(((bits & 0x7ff) << 53 >> 53) * 2)?, false),
            // cbz and cbnz
            None if first & 0xf500 == 0xb100 => (to((bits >> 9 & 1) << 6 | (bits >> 3 & 31) << 1)?, true),
            Some(second) if first >> 11 == 0b11110 && second & 0x8000 != 0 => match second & 0x5000 {
                // A condition of 111x encodes another instruction, such as a barrier.
                0x0000 if first >> 7 & 7 == 7 => (None, true),
                0x0000 => (to(wide(first & 0x3f, 6, first, second, false))?, true),
                0x1000 => (to(wide(first & 0x3ff, 10, first, second, true))?, false),
                _ => bail!("a call"),
            },
            _ => (None, true),
        })
    }
}

/// Returns the distance of a wide branch. It consists of S, J2, J1 (inverted and combined with S in the longer form),
/// the bits of the first half, and eleven bits of the second.
fn wide(bits: u16, count: u32, first: u16, second: u16, longer: bool) -> i64 {
    let sign = i64::from(first >> 10 & 1);
    let (j1, j2) = (i64::from(second >> 13 & 1), i64::from(second >> 11 & 1));
    let (high, low) = if longer { (1 ^ j1 ^ sign, 1 ^ j2 ^ sign) } else { (j2, j1) };
    let distance = (((-sign << 1 | high) << 1 | low) << count | i64::from(bits)) << 11;
    (distance | i64::from(second & 0x7ff)) << 1
}

/// Returns the length of the longest path, in instructions, from each `cpsid` of a function until interrupts are on
/// again.
///
/// # Errors
///
/// If a path leaves the function or does not end.
pub(crate) fn interrupts_off(code: &[u8]) -> Result<Vec<usize>> {
    let mut longest = Vec::new();
    let mut offset = 0;
    while let Some(instruction) = Instruction::at(code, offset) {
        offset += instruction.size();
        if instruction.0 == DISABLE {
            longest.push(longest_path(code, offset, 0)?);
        }
    }
    Ok(longest)
}

fn longest_path(code: &[u8], mut offset: usize, mut count: usize) -> Result<usize> {
    let mut longest = 0;
    loop {
        let Some(instruction) = Instruction::at(code, offset) else {
            bail!("interrupts are still off at the end of the function")
        };
        count += 1;
        if count > LIMIT {
            bail!("interrupts are off for more than {LIMIT} instructions");
        }
        if instruction.enables() {
            return Ok(longest.max(count));
        }
        let (target, falls_through) = instruction.branch(offset)?;
        match (target, falls_through) {
            (Some(target), true) => {
                longest = longest.max(longest_path(code, target, count)?);
                offset += instruction.size();
            }
            (Some(target), false) => offset = target,
            (None, _) => offset += instruction.size(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(halves: &[u16]) -> Vec<u8> {
        halves.iter().flat_map(|half| half.to_le_bytes()).collect()
    }

    #[test]
    fn counts_wide_and_narrow_instructions() {
        // cpsid i; ldr r0, [r1]; ldr.w r2, [r3, #16]; msr primask, r4
        let code = code(&[0xb672, 0x6808, 0xf8d3, 0x2010, 0xf384, 0x8810]);
        assert_eq!(interrupts_off(&code).unwrap(), [3]);
    }

    #[test]
    fn takes_the_longer_path() {
        // cpsid i; beq +2 instructions; cpsie i; bx lr; nop; nop; cpsie i
        let code = code(&[0xb672, 0xd001, 0xb662, 0x4770, 0xbf00, 0xbf00, 0xb662]);
        assert_eq!(interrupts_off(&code).unwrap(), [4]);
    }

    #[test]
    fn a_loop_or_a_call_is_an_error() {
        assert!(interrupts_off(&code(&[0xb672, 0xe7fe])).is_err());
        assert!(interrupts_off(&code(&[0xb672, 0xf000, 0xf800, 0xb662])).is_err());
    }

    #[test]
    fn follows_wide_branches_both_ways() {
        // cpsid i; beq.w +2; cpsie i; nop; cpsie i
        assert_eq!(interrupts_off(&code(&[0xb672, 0xf000, 0x8001, 0xb662, 0xbf00, 0xb662])).unwrap(), [3]);
        // nop; cpsie i; cpsid i; b.w -8, back to the nop
        assert_eq!(interrupts_off(&code(&[0xbf00, 0xb662, 0xb672, 0xf7ff, 0xbffb])).unwrap(), [3]);
    }

    #[test]
    fn a_function_without_critical_section_has_no_path() {
        assert!(interrupts_off(&code(&[0x6808, 0xf384, 0x8810])).unwrap().is_empty());
    }
}
