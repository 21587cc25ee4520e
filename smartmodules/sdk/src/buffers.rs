//! The memory between host and module, which lives on from call to call.
//!
//! Fluvio's host never calls `dealloc`, others call it for outputs, some may for inputs as well:
//! nothing leaks or is lost with either. Pointers that are not lent are ignored.

/// What a call may leave allocated for the next one.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Input buffers, of which hosts ever need one, and the output buffer.
///
/// A buffer that was given back keeps its bytes until the next `lend`: the output of a filter is
/// in there, and hosts copy it after the call.
pub struct Buffers {
    inputs: Vec<Input>,
    output: Vec<u8>,
}

struct Input {
    bytes: Vec<u8>,
    lent: bool,
}

impl Buffers {
    pub const fn new() -> Self {
        Self {
            inputs: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Lends at least `byte_count` bytes to the host.
    pub fn lend(&mut self, byte_count: usize) -> *mut u8 {
        self.inputs
            .retain(|each| each.lent || each.bytes.len() <= KEPT_BYTES_MAX);
        let index = self.inputs.iter().position(|each| !each.lent);
        let index = index.unwrap_or_else(|| {
            self.inputs.push(Input {
                bytes: Vec::new(),
                lent: false,
            });
            self.inputs.len() - 1
        });
        let input = &mut self.inputs[index];
        if input.bytes.len() < byte_count {
            input.bytes = Vec::new(); // before the new one is made: never both
            input.bytes = vec![0; byte_count];
        }
        input.lent = true;
        input.bytes.as_mut_ptr()
    }

    /// Takes back what the host has no use for.
    pub fn give_back(&mut self, pointer: *const u8) {
        if let Some(input) = lent_at(&mut self.inputs, pointer) {
            input.lent = false;
        } else if pointer == self.output.as_ptr() {
            self.shrink_output();
        }
    }

    /// Takes back an input, and returns it with an empty output buffer; `None` if it was not lent.
    pub fn take(
        &mut self,
        pointer: *const u8,
        byte_count: usize,
    ) -> Option<(&mut [u8], &mut Vec<u8>)> {
        self.shrink_output();
        self.output.clear();
        let input = lent_at(&mut self.inputs, pointer)?;
        input.lent = false;
        Some((input.bytes.get_mut(..byte_count)?, &mut self.output))
    }

    fn shrink_output(&mut self) {
        if self.output.capacity() > KEPT_BYTES_MAX {
            self.output = Vec::new();
        }
    }
}

fn lent_at(inputs: &mut [Input], pointer: *const u8) -> Option<&mut Input> {
    inputs
        .iter_mut()
        .find(|each| each.lent && each.bytes.as_ptr() == pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lend(buffers: &mut Buffers, bytes: &[u8]) -> *const u8 {
        let pointer = buffers.lend(bytes.len());
        let input = buffers
            .inputs
            .iter_mut()
            .find(|each| each.bytes.as_ptr() == pointer);
        input.unwrap().bytes[..bytes.len()].copy_from_slice(bytes);
        pointer
    }

    #[test]
    fn a_buffer_is_used_again() {
        let mut buffers = Buffers::new();
        let first = lend(&mut buffers, b"abc");
        assert_eq!(b"abc", buffers.take(first, 3).unwrap().0);
        let second = lend(&mut buffers, b"de");

        assert_eq!(first, second);
        assert_eq!(b"de", buffers.take(second, 2).unwrap().0);
        assert_eq!(1, buffers.inputs.len());
    }

    #[test]
    fn what_is_lent_is_lent_once() {
        let mut buffers = Buffers::new();
        let first = lend(&mut buffers, b"abc");
        let second = lend(&mut buffers, b"def");
        assert_eq!(b"def", buffers.take(second, 3).unwrap().0);
        assert_eq!(b"abc", buffers.take(first, 3).unwrap().0);

        assert!(buffers.take(first, 3).is_none());
        assert!(buffers.take(std::ptr::null(), 3).is_none());
    }

    #[test]
    fn no_more_is_taken_than_was_lent() {
        let mut buffers = Buffers::new();
        let pointer = lend(&mut buffers, b"abc");

        assert!(buffers.take(pointer, 4).is_none());
    }

    #[test]
    fn what_is_given_back_is_lent_again() {
        let mut buffers = Buffers::new();
        let first = lend(&mut buffers, b"abc");
        buffers.give_back(first);
        buffers.give_back(first);
        let pointer = buffers.output.as_ptr();
        buffers.give_back(pointer);

        assert_eq!(first, lend(&mut buffers, b"abc"));
    }

    #[test]
    fn the_output_stays_and_begins_empty() {
        let mut buffers = Buffers::new();
        let pointer = lend(&mut buffers, b"abc");
        buffers.take(pointer, 3).unwrap().1.extend(b"output");
        let output = buffers.output.as_ptr();
        buffers.give_back(output);
        let pointer = lend(&mut buffers, b"abc");

        assert_eq!(b"", &buffers.take(pointer, 3).unwrap().1[..]);
        assert_eq!(output, buffers.output.as_ptr());
    }

    #[test]
    fn what_is_very_large_is_not_kept() {
        let mut buffers = Buffers::new();
        let large = vec![0; KEPT_BYTES_MAX + 1];
        let pointer = lend(&mut buffers, &large);
        buffers.take(pointer, large.len()).unwrap().1.extend(&large);
        let output = buffers.output.as_ptr();
        buffers.give_back(output);
        assert_eq!(0, buffers.output.capacity());

        lend(&mut buffers, b"abc");
        assert_eq!(
            3,
            buffers
                .inputs
                .iter()
                .map(|each| each.bytes.len())
                .sum::<usize>()
        );
    }
}
