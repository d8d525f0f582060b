//! The code between the host and a user's `handler`: reads the request from memory, calls the handler, and writes the
//! outcome to memory. It is compiled once per toolchain; for a new script only the user's file is compiled.
//!
//! Only the hook on allocation errors, which is unstable, can distinguish `OutOfMemory` from other traps.
#![feature(alloc_error_hook, allow_internal_unsafe)]

mod generics;

pub use generics::instantiate;

use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};
use std::alloc::{self, Layout};
use std::any::Any;
use std::io::Write;
use std::panic::{self, Location};
use std::{mem, ptr, slice};

/// The form of a script's `handler`.
pub type Handler = fn(Map<String, Value>) -> Result<Value, String>;

/// Defines the functions that the host calls. It is the last line of every script, at the root of its crate, so that
/// lines, columns and paths from `crate::` are those of the user.
#[macro_export]
#[allow_internal_unsafe] // The script may forbid unsafe code.
macro_rules! entry {
    ($handler:ident) => {
        const _: () = {
            #[no_mangle]
            pub extern "C" fn lambda_allocate(request_length: usize) -> *mut u8 {
                $crate::allocate(request_length)
            }

            #[no_mangle]
            pub unsafe extern "C" fn lambda_call(buffer: *mut u8, request_length: usize) {
                $crate::call(buffer, request_length, $handler)
            }
        };
    };
}

/// How a call ended. The host knows these by number; 0 means that the script trapped without a report.
#[repr(u32)]
enum Kind {
    Result = 1,
    Err = 2,
    Panic = 3,
    OutOfMemory = 4,
    BadRequest = 5,
    NotJson = 6,
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
    match read(request) {
        Err(error) => report(Kind::BadRequest, error.to_string(), None),
        Ok(context) => match handler(context) {
            Ok(value) => report_result(&value),
            Err(message) => report(Kind::Err, message, None),
        },
    }
    flush();
}

/// Reads a request of any depth: the host has bounded it.
fn read(request: &[u8]) -> serde_json::Result<Map<String, Value>> {
    let mut reader = Deserializer::from_slice(request);
    reader.disable_recursion_limit();
    Map::deserialize(&mut reader)
}

fn report_result(value: &Value) {
    let text = value.to_string();
    let suspect = NOT_FINITE.iter().any(|number| text.contains(number));
    match suspect.then(|| not_finite(value)).flatten() {
        Some((number, place)) => report(Kind::NotJson, format!("the result holds {} {}", number, place), None),
        None => report(Kind::Result, text, None),
    }
}

/// Numbers that JSON does not have, as `Value` keeps them.
const NOT_FINITE: [&str; 2] = ["NaN", "inf"];

/// Returns the first such number in a value, with its place.
fn not_finite(value: &Value) -> Option<(String, String)> {
    let mut path = Vec::new();
    let number = find_not_finite(value, &mut path)?;
    let pointer: String = path.iter().rev().map(|name: &String| format!("/{}", name)).collect();
    Some((number, if pointer.is_empty() { "as a whole".to_string() } else { format!("at {}", pointer) }))
}

/// Returns the number, and pushes the names on the way back from it.
fn find_not_finite(value: &Value, path: &mut Vec<String>) -> Option<String> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            NOT_FINITE.contains(&text.trim_start_matches('-')).then(|| text)
        }
        Value::Array(list) => list.iter().enumerate().find_map(|(index, item)| {
            let found = find_not_finite(item, path)?;
            path.push(index.to_string());
            Some(found)
        }),
        Value::Object(map) => map.iter().find_map(|(name, item)| {
            let found = find_not_finite(item, path)?;
            path.push(name.replace('~', "~0").replace('/', "~1"));
            Some(found)
        }),
        _ => None,
    }
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
