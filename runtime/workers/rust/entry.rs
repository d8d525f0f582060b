//! The root of every script's crate. The script is a file of its own, so that lines and columns are the user's
//! and no brace leads out of it.

#[path = "script.rs"]
mod script;

#[no_mangle]
pub extern "C" fn lambda_allocate(request_length: usize) -> *mut u8 {
    lambda_glue::allocate(request_length)
}

#[no_mangle]
pub unsafe extern "C" fn lambda_call(buffer: *mut u8, request_length: usize) {
    lambda_glue::call(buffer, request_length, script::handler)
}
