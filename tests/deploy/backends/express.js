// Node with express, as its documentation begins. ADDRESS PORT
const express = require("express");
const app = express();
app.get("/", (request, response) => response.send("hello"));
app.get("/slow", (request, response) => setTimeout(() => response.send("slow"), 300));
app.listen(Number(process.argv[3]), process.argv[2]);
