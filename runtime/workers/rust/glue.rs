//! The code between the host and a user's `handler`: reads the request from memory, calls the handler, and writes the
//! outcome to memory. It is compiled once per toolchain; for a new script only the user's file is compiled.
//!
//! Only the hook on allocation errors, which is unstable, can distinguish `OutOfMemory` from other traps.
#![feature(alloc_error_hook)]

mod generics;

pub use generics::instantiate;

use serde_json::{Map, Value};
use std::alloc::{self, Layout};
use std::any::Any;
use std::io::Write;
use std::panic::{self, Location};
use std::{mem, ptr, slice};

/// The form of a script's `handler`.
pub type Handler = fn(Map<String, Value>) -> Result<Value, String>;

/// How a call ended. The host knows these by number; 0 means that the script trapped without a report.
#[repr(u32)]
enum Kind {
    Result = 1,
    Err = 2,
    Panic = 3,
    OutOfMemory = 4,
    BadRequest = 5,
}

/// The start of the buffer that `allocate` returns, so that the host finds it after a trap too.
/// `line` is 0 when the place is unknown; `file` and `text` are addresses of UTF-8 text that is not freed.
#[repr(C)]
struct Outcome {
    kind: u32,
    text: *const u8,
    text_length: usize,
    file: *const u8,
    file_length: usize,
    line: u32,
    column: u32,
}

static mut OUTCOME: *mut Outcome = ptr::null_mut();

/// Returns a zeroed buffer for one call: space for the outcome, then `request_length` bytes for the request's JSON.
/// It is never freed, because an instance serves one call.
pub fn allocate(request_length: usize) -> *mut u8 {
    match Layout::from_size_align(mem::size_of::<Outcome>() + request_length, mem::align_of::<Outcome>()) {
        Ok(layout) => unsafe { alloc::alloc_zeroed(layout) },
        Err(_) => ptr::null_mut(),
    }
}

/// Calls the handler once with the request in `buffer`, and writes the outcome to the buffer's start.
///
/// # Safety
/// `buffer` comes from `allocate(request_length)` and is filled.
pub unsafe fn call(buffer: *mut u8, request_length: usize, handler: Handler) {
    OUTCOME = buffer.cast();
    panic::set_hook(Box::new(|panic| {
        report(Kind::Panic, message_of(panic.payload()), panic.location());
        flush();
    }));
    alloc::set_alloc_error_hook(report_out_of_memory);
    let request = slice::from_raw_parts(buffer.add(mem::size_of::<Outcome>()), request_length);
    match serde_json::from_slice::<Map<String, Value>>(request) {
        Err(error) => report(Kind::BadRequest, error.to_string(), None),
        Ok(context) => match handler(context) {
            Ok(value) => report(Kind::Result, value.to_string(), None),
            Err(message) => report(Kind::Err, message, None),
        },
    }
    flush();
}

fn report(kind: Kind, text: String, place: Option<&Location<'_>>) {
    let text = mem::ManuallyDrop::new(text);
    let file = place.map_or("", |place| place.file());
    write(Outcome {
        kind: kind as u32,
        text: text.as_ptr(),
        text_length: text.len(),
        file: file.as_ptr(),
        file_length: file.len(),
        line: place.map_or(0, |place| place.line()),
        column: place.map_or(0, |place| place.column()),
    });
}

/// Reports without allocating, because no memory is left. `text_length` is the size that was requested.
fn report_out_of_memory(layout: Layout) {
    write(Outcome {
        kind: Kind::OutOfMemory as u32,
        text: ptr::null(),
        text_length: layout.size(),
        file: ptr::null(),
        file_length: 0,
        line: 0,
        column: 0,
    });
}

fn write(outcome: Outcome) {
    // SAFETY: there is one thread, and `call` has set the pointer to the buffer of this call.
    unsafe { OUTCOME.write(outcome) }
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_string();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without a text".to_string())
}

/// Flushes stdout: a line without its end would be lost with the instance.
fn flush() {
    let _ = std::io::stdout().flush();
}
