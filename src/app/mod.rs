pub struct B {
    pub help: &'static str,
}
impl B {
    pub fn keys_text(&self) -> String {
        String::new()
    }
    pub fn context_text(&self) -> &'static str {
        ""
    }
}
pub const BINDINGS: &[B] = &[];
