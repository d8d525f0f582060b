//! The root of every script's crate. The script is in a separate file, so that lines and columns are the user's, and
//! an unbalanced brace cannot end its module.

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
