--- Where modules went: old name -> the module's name now. Whoever requires an old name gets the same module by it
-- (binding/renamed.lua). The list is read at the first name that nothing else answers; CMakeLists.txt reads it by line.
return {
}
