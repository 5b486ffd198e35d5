//! Gives the addon its platform's link flags; the core alone needs none.

fn main() {
    if cfg!(feature = "node") {
        napi_build::setup();
    }
}
