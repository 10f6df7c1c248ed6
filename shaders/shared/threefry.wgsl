// Threefry-2x32, 20 rounds (Salmon et al., SC 2011): the twin of src/rng/threefry.rs, and what src/rng/mod.rs
// builds on it.

const STREAM_WINDOW: u32 = 0;
const STREAM_NOISE: u32 = 1;

fn mix(x: vec2<u32>, rotation: u32) -> vec2<u32> {
    let x0 = x.x + x.y;
    return vec2(x0, ((x.y << rotation) | (x.y >> (32u - rotation))) ^ x0);
}

fn even_rounds(x: vec2<u32>) -> vec2<u32> {
    return mix(mix(mix(mix(x, 13u), 15u), 26u), 6u);
}

fn odd_rounds(x: vec2<u32>) -> vec2<u32> {
    return mix(mix(mix(mix(x, 17u), 29u), 16u), 24u);
}

fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
    let k2 = 0x1BD11BDAu ^ key.x ^ key.y;
    var x = counter + key;
    x = even_rounds(x) + vec2(key.y, k2 + 1u);
    x = odd_rounds(x) + vec2(k2, key.x + 2u);
    x = even_rounds(x) + vec2(key.x, key.y + 3u);
    x = odd_rounds(x) + vec2(key.y, k2 + 4u);
    return even_rounds(x) + vec2(k2, key.x + 5u);
}

// The high word of word * n, a uniform index below n: schoolbook multiplication of 16-bit halves.
fn uniform_index(word: u32, n: u32) -> u32 {
    let low = (word & 0xffffu) * (n & 0xffffu);
    let middle = (word >> 16u) * (n & 0xffffu) + (low >> 16u);
    let middle2 = (word & 0xffffu) * (n >> 16u) + (middle & 0xffffu);
    return (word >> 16u) * (n >> 16u) + (middle >> 16u) + (middle2 >> 16u);
}
